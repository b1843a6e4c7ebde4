"""How Helm charts are fetched, rendered and installed. Which charts those are is the platform's to say."""
