"""Who receives the demo's webhooks? A program that shares nothing with the hub but the secrets, as a customer's would.

endpoints     its paths, and the secrets it agreed on with the hub
verification  whether a request really came from the hub
arrivals      what came, and what each endpoint answered
server        HTTP: the endpoints, the live page, and the same as JSON
"""
