-- What the counts of every subject depend on, as text: it differs when one of them may have changed.
SELECT toString((
    (SELECT (count(), max(topic_titles.loaded_time)) FROM topic_titles),
    (SELECT (count(), max(class_loads.loaded_time)) FROM class_loads),
    (SELECT (count(), max(revision), max(changed_time)) FROM collections),
    (SELECT (count(), max(version)) FROM collection_now),
    (SELECT (count(), max(client_retirements.loaded_time), max(version)) FROM client_retirements),
    (SELECT (count(), max(client_scans.loaded_time)) FROM client_scans),
    (SELECT (count(), max(checked_time)) FROM missing_ranges),
    (SELECT (count(), max(version)) FROM clients_waiting),
    (SELECT (count(), max(set_aside_time)) FROM set_aside_records),
    (SELECT (count(), max(time)) FROM set_aside_ends)
))
