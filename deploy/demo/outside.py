"""What stands outside of the system in the town, in one process: who is paid by phone, and the cards' authority."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from deploy.demo import qr_provider
from deploy.demo.card_authority import CardAuthority, create_authority
from deploy.demo.pki import Standing, TownPki
from deploy.demo.qr_provider import KEY_ID, WALLET, Provider, Troubles, create_provider
from deploy.demo.world import Directory
from issuance_server.payments_qr import Merchant

AUTHORITY: Final = "/card-authority"


def _authority(town: Path) -> CardAuthority:
    """Return the cards' authority, with what it knows of the cards in the town's stories."""
    pki = TownPki.open(town / "pki")
    authority = CardAuthority(pki.responder)
    for resident_id, holder in Directory.read(town / "directory.json").residents.items():
        if holder.standing is not Standing.GOOD:
            authority.set(pki.serial_of(resident_id), holder.standing)
    return authority


@click.command()
@click.option("--port", required=True, type=int, help="On loopback.")
@click.option("--secret-file", required=True, type=click.Path(path_type=Path), help="The merchant's secret.")
@click.option("--balance", default=5000, show_default=True, help="Yen in the one invented wallet.")
@click.option("--town", required=True, type=click.Path(path_type=Path), help="The town's folder.")
def main(port: int, secret_file: Path, balance: int, town: Path) -> None:
    """Run both until they are ended."""
    provider = Provider({WALLET: balance})
    app = create_provider(provider, Merchant(KEY_ID, secret_file.read_bytes().strip()), Troubles())
    app.register_blueprint(qr_provider.world(provider))
    both = DispatcherMiddleware(app, {AUTHORITY: create_authority(_authority(town))})
    make_server("127.0.0.1", port, both, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
