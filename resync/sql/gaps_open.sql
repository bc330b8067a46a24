-- How much is open.
SELECT count(), sum(toUInt128(last_serial - first_serial + 1))
FROM missing_ranges FINAL
WHERE closed = 0
