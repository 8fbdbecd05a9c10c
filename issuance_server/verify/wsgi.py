"""What gunicorn loads for the receivers' check (deploy/gunicorn_verify.conf.py)."""

from issuance_server.logs import configure_logging
from issuance_server.verify.app import build
from issuance_server.verify.config import load_from_environment

configure_logging()
app = build(load_from_environment())
