"""What gunicorn loads: the application of the configuration that the environment names (deploy/gunicorn.conf.py)."""

from issuance_server.app import build
from issuance_server.config import load_from_environment
from issuance_server.logs import configure_logging

configure_logging()
app = build(load_from_environment())
