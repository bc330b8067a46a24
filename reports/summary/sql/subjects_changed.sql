-- Messages that were loaded, and clients that were retired, came back or were erased since the summary, the newest of
-- them, and how many times the summary has written so far.
SELECT
    messages.1 + moves.1 + touched.1,
    greatest(messages.2, moves.2, touched.2),
    (SELECT max(version) FROM subject_now)
FROM
(
    SELECT
        (SELECT argMax(until, number) FROM summary_progress WHERE job = 'subjects') AS summed,
        (SELECT (count(), max(state_messages.loaded_time)) FROM state_messages
            WHERE state_messages.loaded_time >= summed) AS messages,
        (SELECT (count(), max(client_retirements.loaded_time)) FROM client_retirements
            WHERE client_retirements.loaded_time >= summed) AS moves,
        (SELECT (count(), max(subjects_touched.loaded_time)) FROM subjects_touched
            WHERE subjects_touched.loaded_time >= summed) AS touched
)
