# ruff: noqa: N999 (gunicorn's own name for its configuration)
"""gunicorn for the receivers' check: `gunicorn --config deploy/gunicorn_verify.conf.py`.

Processes of its own, on a port of its own: however many people check papers, issuing has its workers to itself. A
worker serves one request at a time, so that no more than MADOGUCHI_VERIFY_WORKERS are ever at work; what waits beyond
the backlog is turned away by the kernel. The ledger is only read here, and on SQLite readers do not hold up a writer.

What nginx in front adds: TLS; proxy_request_buffering and proxy_buffering, so that a slow client holds no worker;
limit_req and limit_conn by address for whoever floods; proxy_cache with proxy_cache_lock for /status/ and /lib/, so
that a list is made once a minute however many ask; access_log off, since an address beside a path under /status/ would
narrow down who checks what. It sets X-Forwarded-For, and `proxies` in the check's configuration says so.

MADOGUCHI_VERIFY_BIND       where to listen (127.0.0.1:8810; nginx with TLS stands in front)
MADOGUCHI_VERIFY_WORKERS    worker processes (2)
"""

import os

wsgi_app = "issuance_server.verify.wsgi:app"
bind = os.environ.get("MADOGUCHI_VERIFY_BIND", "127.0.0.1:8810")
workers = int(os.environ.get("MADOGUCHI_VERIFY_WORKERS", "2"))
worker_class = "sync"
preload_app = True  # the database is opened after the fork, on a process's first request

backlog = 64
timeout = 10
graceful_timeout = 5
limit_request_line = 1024
limit_request_fields = 40
limit_request_field_size = 4096
worker_tmp_dir = "/dev/shm"  # a heartbeat file on a busy disk would have a healthy worker killed  # noqa: S108

control_socket_disable = True  # nothing but signals governs the server; the socket's place would be shared by all
accesslog = None  # the application's own line names a route and an outcome
errorlog = "-"
