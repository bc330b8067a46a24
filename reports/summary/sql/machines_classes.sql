SELECT class, count() FROM machine_states GROUP BY class
