-- How much is open: ranges and messages, and the same below serials that jumped.
SELECT
    countIf(jump = 0), sumIf(toUInt128(last_serial - first_serial + 1), jump = 0),
    countIf(jump = 1), sumIf(toUInt128(last_serial - first_serial + 1), jump = 1)
FROM missing_ranges FINAL
WHERE closed = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients)
