"""Requests to registries and chart servers, with logins. Which charts and images there are belongs in `releases`."""
