"""Shows one hidden case to one reviewer once: tickets decide who, rendering decides how."""
