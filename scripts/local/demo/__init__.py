"""What does the demo show? A shop whose events reach five endpoints, one of which fails twice before it accepts.

account  the shop, its API key, its five subscriptions and an administrator
story    what happens in the shop, and who should hear of it
follow   what became of every delivery, as the database and the receiver tell it
report   the lines that a person reads
"""
