-- The reports of one client that arrived at a moment: usually one.
SELECT received_time, source_file, receipt, report_time, min(loaded_time) AS loaded, any(messages) AS messages,
    any(first_serial) AS first, any(last_serial) AS last
FROM client_reports
WHERE received_time = {at:DateTime64(6,'UTC')} AND client_id = {client:UUID}
GROUP BY received_time, source_file, report_index, receipt, report_time
ORDER BY source_file, report_index
LIMIT 20
