package oci

func openLayout(string) Store { return nil }
