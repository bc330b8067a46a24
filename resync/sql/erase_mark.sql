-- Marks a client as being erased: it is in no count from now on, and whoever finds the mark goes on with it.
INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, ended_time, ended_by, version)
SELECT {client:UUID}, 'erasing', now64(6, 'UTC'), '', '', toDateTime64(0, 6, 'UTC'), '',
    (SELECT max(version) FROM client_retirements WHERE client_id = {client:UUID}) + 1
