"""What gunicorn loads: the application of the configuration that the environment names (deploy/gunicorn.conf.py)."""

import sys

from issuance_server.app import build
from issuance_server.card_auth import AnchorsError
from issuance_server.config import ConfigError, load_from_environment
from issuance_server.database import SchemaMismatch
from issuance_server.key_files import KeysError
from issuance_server.logs import configure_logging

configure_logging()
try:
    app = build(load_from_environment())
except (AnchorsError, ConfigError, KeysError, SchemaMismatch) as error:
    sys.exit(f"the issuing server does not start: {error}")  # one sentence for whoever set it up, not a traceback
