SELECT count() FROM differing_clients FINAL WHERE differs = 1
