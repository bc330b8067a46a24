-- Missing ranges of one client that a gap check recorded, closed ones too, the newest knowledge of each.
SELECT first_serial AS first, last_serial AS last, detected_time, checked_time, closed
FROM missing_ranges FINAL
WHERE client_id = {client:UUID}
  AND ({serial:UInt64} = 0 OR {serial:UInt64} BETWEEN first_serial AND last_serial)
ORDER BY closed, first_serial, last_serial
LIMIT {most:UInt64}
