"""What crosses the border, without Flask: arguments in, rows and problems out, archives in."""
