//! The one test binary: what the program promises, told as stories.

mod generate;
