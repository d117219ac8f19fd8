"""Who may do what: tokens, what each lets in, TLS, tenants, where a server may call, and what was changed by whom."""
