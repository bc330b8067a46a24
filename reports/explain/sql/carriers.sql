-- Reports of one client whose serials span a given one, in the order of arrival.
SELECT received_time, source_file, report_index, any(receipt) AS relay_receipt, any(report_time) AS made,
    min(loaded_time) AS loaded,
       any(first_serial) AS first, any(last_serial) AS last
FROM client_reports
WHERE client_id = {client:UUID} AND first_serial <= {serial:UInt64} AND last_serial >= {serial:UInt64}
GROUP BY received_time, source_file, report_index
ORDER BY received_time, source_file, report_index
LIMIT 20
