//! The command `review`, in a moment.
