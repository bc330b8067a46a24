-- Removes what is kept of an id under whatever type, of ids that nobody but the client has states of.
ALTER TABLE {table:Identifier} DELETE WHERE topic_id IN
(
    SELECT topic_id FROM current_states_data WHERE client_id = {client:UUID}
    UNION DISTINCT
    SELECT topic_id FROM instant_states_data WHERE client_id = {client:UUID}
)
AND topic_id NOT IN (SELECT topic_id FROM current_states_data WHERE client_id != {client:UUID})
AND topic_id NOT IN (SELECT topic_id FROM instant_states_data WHERE client_id != {client:UUID})
SETTINGS mutations_sync = 1, allow_nondeterministic_mutations = 1
