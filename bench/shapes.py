"""The texts that the generators repeat: what a dozen services of a small shop say, and who asks them.

`{}` in a message is a number, drawn anew for each line; sizes and shares are those of ordinary application logs: a few
events make up most lines, one in about forty is a warning, one in about a hundred an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a service says; `weight` is how often, `numbers` how large its numbers get, `base_ms` its usual time.

    Work that no request started has no status, method and path.
    """

    weight: float
    service: str
    level: str
    status: int
    method: str
    path: str
    message: str
    numbers: int = 100_000
    base_ms: float = 8.0


EVENTS: Final = (
    Event(90, "gateway", "info", 200, "GET", "/v1/products/list", "request served from cache in {} us", 900, 1.5),
    Event(80, "catalog", "info", 200, "GET", "/v1/products/search", "search returned {} hits on {} shards", 64, 21.0),
    Event(70, "session", "info", 0, "", "", "session {} refreshed"),
    Event(60, "catalog", "info", 0, "", "", "product {} loaded"),
    Event(55, "cart", "info", 200, "POST", "/v1/cart/items", "item {} added to cart {}"),
    Event(50, "gateway", "info", 304, "GET", "/assets/app.js", "not modified, etag {}", 4096, 0.6),
    Event(40, "recommend", "debug", 0, "", "", "model v{} scored {} candidates", 500, 33.0),
    Event(36, "pricing", "info", 0, "", "", "price list {} applied to {} items", 300),
    Event(30, "cart", "info", 200, "GET", "/v1/cart", "cart {} read"),
    Event(28, "inventory", "info", 0, "", "", "reserved {} units of sku {}", 9000),
    Event(24, "checkout", "info", 201, "POST", "/v1/orders", "order {} placed by customer {}", 900_000, 48.0),
    Event(22, "payment", "info", 200, "POST", "/v1/payments", "payment {} authorised by bank {}", 90_000, 210.0),
    Event(20, "shipping", "info", 0, "", "", "label {} printed at station {}", 40_000, 95.0),
    Event(18, "mailer", "info", 0, "", "", "mail {} queued behind {} others", 20_000),
    Event(16, "gateway", "debug", 200, "GET", "/healthz", "health check passed in {} us", 400, 0.3),
    Event(12, "session", "info", 401, "POST", "/v1/login", "login failed for account {}", 100_000, 62.0),
    Event(10, "catalog", "info", 404, "GET", "/v1/products/detail", "product {} not found", 800_000),
    Event(8, "inventory", "warn", 0, "", "", "stock of sku {} is below {}", 9000),
    Event(7, "recommend", "warn", 0, "", "", "feature store slow, {} of {} features missing", 90, 180.0),
    Event(6, "gateway", "warn", 429, "GET", "/v1/products/search", "rate limit reached, retry in {} ms", 5000, 0.4),
    Event(5, "payment", "warn", 0, "", "", "payment {} needed {} attempts", 60_000, 900.0),
    Event(4, "checkout", "error", 500, "POST", "/v1/orders", "order {} failed: deadlock on row {}", 900_000, 350.0),
    Event(
        3, "payment", "error", 502, "POST", "/v1/payments", "bank {} closed the connection after {} bytes", 8000, 1500.0
    ),
    Event(2, "shipping", "error", 503, "POST", "/v1/shipments", "carrier timed out after {} ms", 30_000, 5000.0),
    Event(1, "inventory", "error", 0, "", "", "unhandled exception in worker {}: index {} out of range", 64),
)
"""Events of the JSON logs."""

HOSTS: Final = tuple(f"node-{number:02d}" for number in range(16))
"""Machines of the JSON logs."""

PAGES: Final = tuple(
    f"/{section}/{name}"
    for section in ("shop", "blog", "assets/img", "docs/guide", "account")
    for name in (
        "index.html",
        "lantern-oil",
        "rope-10m",
        "brass-hinge",
        "oak-plank",
        "newest?page=2",
        "sale?sort=price",
        "a.png",
    )
)
"""Paths of the access logs, most wanted first."""

REFERRERS: Final = (
    "-",
    "https://www.shop.example/",
    "https://search.example/?q=brass+hinge",
    "https://blog.shop.example/oak",
)

AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Version/17.5 Mobile/15E148 Safari/604.1",
    "curl/8.9.1",
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example/about.html)",
)
"""User agents of the access logs, most frequent first."""
