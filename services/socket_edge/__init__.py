"""The public door: REST and Socket.IO on one port, for authenticated users."""
