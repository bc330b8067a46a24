-- Whether more than a fiftieth of the machines changed: each state is then looked at once in place of looked for.
SELECT (SELECT uniq(client_id) FROM machines_changed) * 50 > (SELECT uniq(client_id) FROM clients_seen)
