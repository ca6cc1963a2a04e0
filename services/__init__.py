"""What runs beside the acquisition site: reading a cine, naming its view, answering over gRPC. No torch in here."""
