"""What gunicorn loads: the application of the configuration that the environment names (deploy/gunicorn.conf.py)."""

from issuance_server.app import build, configure_logging
from issuance_server.config import load_from_environment

configure_logging()
app = build(load_from_environment())
