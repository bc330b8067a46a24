-- The last report of one client that the relay refused, and when it took one since.
SELECT refused_time, code, status, line, column, detail, toUInt8(retry) AS retry, toUInt8(verified) AS verified,
    address, refusals, taken_time
FROM refused_reports FINAL
WHERE client_id = {client:UUID}
ORDER BY refused_time DESC, verified DESC
LIMIT 1
