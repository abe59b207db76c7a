"""The HTTP door: `GET /v1/stats` as the hosted API answers it, from the events of one dataset.

A request walks one way: server → middleware → stats → auth → freshness → worker pool → worker.
"""
