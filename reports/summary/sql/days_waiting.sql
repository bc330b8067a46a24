-- How many clients have reports that wait to be loaded.
SELECT count() FROM clients_waiting FINAL WHERE waiting = 1
