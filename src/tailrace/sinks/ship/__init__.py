"""The sink that sends batches to servers, exactly once.

- `settings`: which servers, and how much may be under way;
- `servers`: whom to ask next, when one fails;
- `link`: one request and its answer;
- `window`: batches under way, in the order of their numbers;
- `spool`: batches kept on the disk, for lines that cannot be read again;
- `sink`: the threads, and what each answer means.

A batch says which number it follows, and a table takes it only then (`batch.Position.after`). So several may be under
way at once, on several connections and to several servers: what comes too early is sent again, what came already is
recognised. At its start an agent ends what is still on its way from its last life, by a batch without rows whose
number is far above (`sources.tail.checkpoint.Checkpoint.fence`): only then does "which was my last number" have an
answer that stays true.
"""
