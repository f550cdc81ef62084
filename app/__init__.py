"""The service: models loaded once, served over HTTP. Imports `models`, never `training`."""
