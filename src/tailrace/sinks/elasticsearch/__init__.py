"""Documents for Elasticsearch and OpenSearch: each row once, by an id made of its position."""
