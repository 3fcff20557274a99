"""The REST API's ground floor: who calls, what they may do, how errors and lists look; accounts, keys and events.

Every view is a thin adapter: it reads a request into values, calls one plain function, and shows what came of it.
"""
