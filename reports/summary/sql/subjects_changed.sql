-- Messages that were loaded since the summary, the newest of them, and how many times the summary has written so far.
SELECT count(), max(state_messages.loaded_time), (SELECT max(version) FROM subject_now)
FROM state_messages
WHERE state_messages.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'subjects')
