"""A database of addresses, as a user has one."""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write_database(path: Path, country: str) -> Path:
    """Write a database of addresses in which 203.0.113.0/24 is in some country."""
    writer = MMDBWriter(6, ipv4_compatible=True, database_type="Test-Country")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": country}})
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "US"}})
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"city": {"names": {"en": "Nowhere"}}})
    writer.to_db_file(str(path))
    return path
