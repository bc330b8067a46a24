-- What is lost and was not accepted, and the latest restore: when, of which time the copy is, whether that is over.
SELECT
    countIf(kind = 'lost' AND event_time > accepted) AS parts,
    sumIf(rows, kind = 'lost' AND event_time > accepted) AS lost_rows,
    arraySort(groupUniqArrayIf(table_name, kind = 'lost' AND event_time > accepted)) AS tables,
    maxIf(event_time, kind = 'restored') AS restored_time,
    argMaxIf(store_time, event_time, kind = 'restored') AS copied_time,
    restored_time > maxIf(event_time, kind = 'settled') AS restored
FROM store_events FINAL
CROSS JOIN (SELECT max(store_events.event_time) AS accepted FROM store_events WHERE kind = 'accepted') AS a
