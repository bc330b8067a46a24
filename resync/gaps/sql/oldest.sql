SELECT uniqExact(client_id), min(detected_time) FROM missing_ranges FINAL WHERE closed = 0 AND jump = 0
