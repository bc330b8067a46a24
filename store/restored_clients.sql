INSERT INTO restored_clients (client_id, last_serial, last_report_time, restored_time)
SELECT client_id, max(client_stats_data.last_serial), max(client_stats_data.last_report_time), {restored:DateTime64(6, 'UTC')}
FROM client_stats_data
GROUP BY client_id
SETTINGS optimize_aggregation_in_order = 1
