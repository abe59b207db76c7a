"""Where events come from: locations, files, formats; one lazy frame of the event columns that a question wants."""
