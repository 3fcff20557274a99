"""What does Prometheus read? The same from every web process: each value comes from PostgreSQL or the broker when it is asked for.

families  the metrics: names, meanings, values
page      `/metrics`, and who may read it
"""
