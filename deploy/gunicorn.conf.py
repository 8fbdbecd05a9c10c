# ruff: noqa: N999 (gunicorn's own name for its configuration)
"""gunicorn for the issuing server: `gunicorn --config deploy/gunicorn.conf.py`.

MADOGUCHI_BIND       where to listen (127.0.0.1:8800; nginx with TLS stands in front)
MADOGUCHI_WORKERS    worker processes (2)
"""

import os

wsgi_app = "issuance_server.wsgi:app"
bind = os.environ.get("MADOGUCHI_BIND", "127.0.0.1:8800")
workers = int(os.environ.get("MADOGUCHI_WORKERS", "2"))
worker_class = "sync"  # one request at a time in a process: pdfium and the fonts are shared by nobody
preload_app = True  # fonts and templates are read once and shared by the fork; engines are made after it

timeout = 30
graceful_timeout = 20
limit_request_line = 1024
limit_request_fields = 40
limit_request_field_size = 4096
worker_tmp_dir = "/dev/shm"  # a heartbeat file on a busy disk would have a healthy worker killed  # noqa: S108

control_socket_disable = True  # nothing but signals governs the server; the socket's place would be shared by all
accesslog = None  # the application's own line names a route, never an address with what stands in it
errorlog = "-"
