// Parts of a page that are asked for behind the rest; without script a link leads to them.
T.on("[data-load]", (target) => { T.load(target, target.dataset.load); });
