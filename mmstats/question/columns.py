"""The columns that events are grouped and filtered by, beside those of the API, and lists of their names."""

from mmstats.dataset import EVENT_COLUMNS

DIMENSIONS = ("event_name", "source", "medium", "country", "device_type", "browser", "os", "path")
# All event columns but the instant, which the range and buckets are for, and the bag of properties as a whole.
COLUMNS = (*DIMENSIONS, *(name for name in EVENT_COLUMNS if name not in {*DIMENSIONS, "timestamp", "properties"}))
