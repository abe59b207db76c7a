"""The HTTP door: `GET /v1/stats` as the hosted API answers it, from the events of one dataset.

A request walks one way: connection → observed → origins → (routes) → gate → question → lookout → runs → answer.
"""
