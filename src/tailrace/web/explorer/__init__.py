"""The page: what people see of Tailrace in a browser.

Rooms: `search` (lines, patterns, fields, charts; the query box in `search.box`), `line`, `saved`, `metrics`,
`dashboard`, `files`, `alerts`, `pipeline`, `status`. A room has `views`, which read the state from the address and
render one template, and parts that know nothing of HTML. What rooms share stands beside them: `frame` (head,
navigation, theme), `assets` (one script, one style sheet), `marks` (log text made safe to show), `times`, `amounts`,
and `shapes` (drawings as numbers). All English lies in `texts/` and `templates/`.
"""
