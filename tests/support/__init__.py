"""What tests share: tiny encoders, recorded events, injected faults."""
