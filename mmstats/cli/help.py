"""The examples at the end of each command's help: the three most useful, on the bundled sample."""

ROOT = """\
Examples:
  mmstats query --event signup --group-by source,medium
  mmstats query events/ -m uniques -g country --from 2026-05-01 --to 2026-06-01
  mmstats query events/ more.csv --event '$pageview' --interval day --csv
"""

HELP = """\
Examples:
  mmstats help
  mmstats help query
  mmstats help keys create
"""

QUERY = """\
Examples:
  mmstats query --event signup --group-by source,medium --interval day
  mmstats query --metric uniques --group-by country --from 2026-05-01 --to 2026-06-01
  mmstats query events/*.parquet --event '$pageview' --json | jq .rows

Data is what the arguments and --data name, else MMSTATS_DATA, else the nearest
mmstats.toml, else your own configuration, else the bundled sample. A $ in an
event's name needs single quotes, or the shell replaces it.
"""

DESCRIBE = """\
Examples:
  mmstats describe events/
  mmstats describe events/*.csv.gz --map event_name=type --check
  mmstats describe events/ --json | jq .events.top

Where events are not flat, or a column is missing, it shows the columns and paths
that are there, and ends with a line to copy.

--check exits with 1 when a file or row cannot be read. describe saves the event
names in your cache folder (MMSTATS_CACHE_DIR), so that your shell can complete
--event.
"""

IMPORT = """\
Examples:
  mmstats import events/ --to store
  mmstats import logs/*.ndjson.gz --map event_name=type --skip-bad-rows --to store
  zcat today.csv.gz | mmstats import - --to store

Query it as any data: mmstats query store. A source is a file, known by its path
and its content: the same again adds nothing, other content replaces its rows,
and the rows of a file that is gone stay. Either all is imported or nothing.
Other tools read the store as store/day=*/*.parquet; if an import was killed,
import again before they do.
"""

SCHEMAS = """\
Examples:
  mmstats schemas
  mmstats schemas umami
  mmstats schemas init export.ndjson -o mine.toml
"""

SCHEMAS_SHOW = """\
Examples:
  mmstats schemas umami
  mmstats schemas show umami
  mmstats schemas umami > mine.toml; mmstats query export.csv --schema mine.toml
"""

SCHEMAS_INIT = """\
Examples:
  mmstats schemas init export.ndjson
  mmstats schemas init exports/*.parquet -o mine.toml
  mmstats schemas init events.txt --input-format csv --delimiter tab -o mine.toml

What is guessed comes from the names of columns and from the first rows of a few
files. It says where it is not sure, and what to fill in.
"""

SERVE = """\
Examples:
  mmstats serve --sample
  mmstats serve events/ --port 0 --log-format json
  mmstats serve events/ --host 0.0.0.0 --rate-limit 50/s

Keys come from `mmstats keys create` (MMSTATS_KEYS_FILE) and from
MMSTATS_SERVE_KEY; with none of them, a key for this run is shown on the
terminal.
"""

CACHE = """\
Examples:
  mmstats cache info
  mmstats cache clear
  MMSTATS_CACHE_DIR=/tmp/cache mmstats cache info

The cache is in your cache folder, or where MMSTATS_CACHE_DIR says. Its size is
bounded: the least recently used entries are dropped. A cached answer is used
only if no file has changed. MMSTATS_CACHE_SIZE bounds it; 0 is no cache.
"""

CONFIG = """\
Examples:
  mmstats config show
  mmstats config show --format json | jq '.settings[] | select(.from != "default")'
  MMSTATS_CONFIG=team.toml mmstats config show

Flags come first, then variables (MMSTATS_DATA), then the nearest mmstats.toml,
then your own configuration file.
"""

KEYS = """\
Examples:
  KEY=$(mmstats keys create --name laptop)
  mmstats keys list
  mmstats keys revoke 1aB2cD3e

Digests of the keys are stored in your configuration folder, or in the file that
MMSTATS_KEYS_FILE names.
"""

KEYS_CREATE = """\
Examples:
  mmstats keys create
  KEY=$(mmstats keys create --name 'dashboard, staging')
  MMSTATS_KEYS_FILE=/etc/mmstats/keys.json mmstats keys create
"""

KEYS_LIST = """\
Examples:
  mmstats keys list
  mmstats keys list --json | jq -r '.keys[].prefix'
  MMSTATS_KEYS_FILE=/etc/mmstats/keys.json mmstats keys list
"""

KEYS_REVOKE = """\
Examples:
  mmstats keys revoke 1aB2cD3e
  mmstats keys revoke "$KEY"
  MMSTATS_KEYS_FILE=/etc/mmstats/keys.json mmstats keys revoke 1aB2cD3e
"""
