"""The examples at the end of each command's help: the three most useful, on the bundled sample."""

ROOT = """\
Examples:
  mmstats query --event signup --group-by source,medium
  mmstats query --metric uniques --group-by country --from 2026-05-01 --to 2026-06-01
  mmstats query --data events/ --event '$pageview' --interval day --format csv
"""

QUERY = """\
Examples:
  mmstats query --event signup --group-by source,medium --interval day
  mmstats query --metric uniques --group-by country --from 2026-05-01 --to 2026-06-01
  mmstats query --data 'events/*.parquet' --event '$pageview' --format json | jq .rows

Data is found in --data, else in MMSTATS_DATA, else in the nearest mmstats.toml, else in the bundled
sample. A $ in an event's name needs single quotes, or the shell replaces it.
"""
