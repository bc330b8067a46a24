package inbox

func child() {}
